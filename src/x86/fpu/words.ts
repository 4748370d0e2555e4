/** Bits of the x87 control, status and tag words. SDM Vol. 1, 8.1.3 to 8.1.7. */

/** Exception flags of the status word; the control word masks them at the same places. */
export const FPU_IE = 1 << 0; // invalid operation
export const FPU_DE = 1 << 1; // denormal operand
export const FPU_ZE = 1 << 2; // divide by zero
export const FPU_OE = 1 << 3; // overflow
export const FPU_UE = 1 << 4; // underflow
export const FPU_PE = 1 << 5; // inexact
export const FPU_EXCEPTIONS = 0x3f;

export const FPU_SF = 1 << 6; // stack fault: with IE, C1 tells overflow (1) from underflow (0)
export const FPU_ES = 1 << 7; // an unmasked exception is pending
export const FPU_C0 = 1 << 8;
export const FPU_C1 = 1 << 9;
export const FPU_C2 = 1 << 10;
export const FPU_C3 = 1 << 14;
export const FPU_B = 1 << 15; // mirrors ES

export const FPU_CONDITIONS = FPU_C0 | FPU_C1 | FPU_C2 | FPU_C3;
/** Position of the stack-top field in the status word. */
export const FPU_TOP_SHIFT = 11;
export const FPU_TOP = 7 << FPU_TOP_SHIFT;

/** Control word bits that can be set; bit 6 always reads as 1. */
export const CONTROL_WRITABLE = 0x1f3f;
export const CONTROL_FIXED = 0x0040;
/** Control word after FNINIT: all exceptions masked, 64-bit precision, round to nearest. */
export const CONTROL_INITIAL = 0x037f;

/** MXCSR after reset and in the initial state of XRSTOR. */
export const MXCSR_INITIAL = 0x1f80;
/** MXCSR bits that may be set; what FXSAVE reports as MXCSR_MASK. */
export const MXCSR_MASK = 0xffff;

/** Tags of the full tag word. */
export const TAG_VALID = 0;
export const TAG_ZERO = 1;
export const TAG_SPECIAL = 2;
export const TAG_EMPTY = 3;
