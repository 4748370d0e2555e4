%define LEVELS 4
%include "long.inc"
