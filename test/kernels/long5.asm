%define LEVELS 5
%define HOT 100
%include "long.inc"
