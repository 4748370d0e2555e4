#pragma once
#include <stddef.h>
void *malloc(size_t bytes);
void free(void *place);
long atol(const char *text);
