#pragma once
static inline double sqrt(double value) { return __builtin_sqrt(value); }
static inline double fabs(double value) { return __builtin_fabs(value); }
