%define LEVELS 4
%define HOT 30000
%include "long.inc"
