%define LEVELS 5
%include "long.inc"
