/**
 * Where QEMU's TCG (7.2) does otherwise than the manual, by kernel and check: the section that says what
 * the processor does. Intel SDM, numbers of the edition of June 2024. A check that is not listed must come
 * out the same in both.
 */
export interface Difference {
  /** beginnings of the names of the checks */
  readonly checks: readonly string[];
  readonly manual: string;
}

const NO_LIMITS =
  'Vol. 3A, 5.3 and 5.4: limits and rights of segments are checked at every access; TCG checks none';

const LONG: readonly Difference[] = [
  {
    checks: [
      ...['through RBP it is', 'also with an index', 'PUSH in', 'POP in', 'CALL in', 'LEAVE'],
      'RSP goes to the other half',
    ],
    manual: 'Vol. 3A, 6.15, interrupt 12: an address of the stack that is not canonical is #SS(0)',
  },
  {
    checks: ['faults at the jump', 'pushes nothing', 'faults at the return'],
    manual: 'Vol. 2A, JMP, CALL; Vol. 2B, RET: a target that is not canonical faults at the branch',
  },
  {
    checks: ['WRMSR of one', 'LGDT does'],
    manual: 'Vol. 2D, WRMSR; Vol. 2A, LGDT: an address that is not canonical is #GP(0)',
  },
  {
    checks: ['a task gate', 'a gate of 16 bits', 'a gate that ring 3 may not use'],
    manual: 'Vol. 3A, 6.13: the index in an error code is the vector, also in long mode',
  },
  {
    checks: ['limits hold', 'behind the limit alone', 'a null selector in compat'],
    manual: NO_LIMITS,
  },
  {
    checks: ['SFMASK clears flags'],
    manual: 'AMD APM Vol. 3, SYSCALL: RFLAGS keeps what SFMASK does not clear, ZF and PF as well',
  },
  {
    checks: ['an access that is not aligned, with AC', 'AC set by POPF'],
    manual: 'Vol. 3A, 6.15, interrupt 17: accesses that are not aligned are #AC; TCG checks none',
  },
  {
    checks: ['CR8 has four bits'],
    manual: 'Vol. 2B, MOV to CR8: bits 63 to 4 are reserved, #GP(0)',
  },
  {
    checks: ['PS of the fourth', 'a reserved bit in', 'an address beyond'],
    manual: 'Vol. 3A, 4.7: RSVD in an error code comes with P',
  },
];

/** Kernels that TCG cannot run to their end, for the reason given. */
export const NOT_COMPARED: Readonly<Record<string, string>> = { segments: NO_LIMITS };

export const DIFFERENCES: Readonly<Record<string, readonly Difference[]>> = {
  gates: [
    {
      checks: ['a fault pushes RF'],
      manual: 'Vol. 3B, 18.3.1.1: RF is set in the image of EFLAGS that a fault pushes',
    },
    {
      checks: ['an exception with an absent gate'],
      manual: 'Vol. 3A, 6.13: EXT is set when the event was none that software asked for',
    },
    {
      checks: ['SS0 absent'],
      manual: 'Vol. 2A, INT n, INTER-PRIVILEGE-LEVEL-INTERRUPT: an absent stack segment is #SS',
    },
    { checks: ['SS0 too small'], manual: NO_LIMITS },
    {
      checks: ['an MSR that does not exist'],
      manual: 'Vol. 2B, RDMSR: an address that is reserved or not implemented is #GP(0)',
    },
    {
      checks: ['CALL through a gate to conforming code', 'keeps CPL 3'],
      manual:
        'Vol. 3A, 5.8.1.2: conforming code runs at the level of its caller, also behind a gate',
    },
    {
      checks: ['RETF to ring 3 drops segments', 'and only those'],
      manual: 'Vol. 3A, 5.4.1: an access through a null selector is #GP(0); TCG does not check it',
    },
  ],
  tasks: [
    { checks: ['is a fault of the new task'], manual: NO_LIMITS },
    {
      checks: ['the T bit', 'traps before the first', 'which has not run', 'and sets DR6.BT'],
      manual: 'Vol. 3B, 18.3.1.5: a set T bit traps when the switch is done; TCG ignores it',
    },
  ],
  debug: [
    {
      checks: ['RF is pushed'],
      manual: 'Vol. 3B, 18.3.1.1: RF is set in the image of EFLAGS that a fault pushes',
    },
    {
      checks: ['an address that is not aligned to its length'],
      manual: 'Vol. 3B, 18.2.5: the low bits of a breakpoint address are masked by its length',
    },
    {
      checks: ['is reported behind the next'],
      manual: 'Vol. 3A, 6.8.3: a load of SS holds debug traps back until the next instruction',
    },
    {
      checks: ['DR7.GD', 'faults at the access', 'DR6.BD'],
      manual: 'Vol. 3B, 18.3.1.3: general detect; TCG does not have it',
    },
    {
      checks: ['INT1 needs no DPL', 'and is a trap'],
      manual: 'Vol. 2A, INT1: it does not check the DPL of its gate, and is a trap',
    },
    {
      checks: [
        'ring 3 with AC',
        'a word',
        'a read-modify-write',
        'a push',
        'a double of eight bytes',
        'REP MOVSD',
        'with nothing done',
      ],
      manual: 'Vol. 3A, 6.15, interrupt 17: accesses that are not aligned are #AC; TCG checks none',
    },
  ],
  extended: [
    {
      checks: ['LDMXCSR with a reserved', 'FXRSTOR with one'],
      manual: 'Vol. 2A, LDMXCSR, FXRSTOR: reserved bits of MXCSR are #GP(0)',
    },
    {
      checks: ['an exception of SSE', 'and with it', 'its destination is not written'],
      manual:
        'Vol. 1, 11.5: an exception of SSE that is not masked is #XM, or #UD; TCG has neither',
    },
    {
      checks: ['a pending exception meets', 'and MMX'],
      manual: 'Vol. 1, 8.7: pending x87 exceptions are raised by waiting x87 and MMX instructions',
    },
    { checks: ['TS: XSAVE'], manual: 'Vol. 2D, XSAVE: #NM with CR0.TS' },
  ],
  paging: [
    {
      checks: [
        'a reserved bit in it',
        'for a write of ring 3',
        'PAE: an address beyond',
        'PAE: NX is reserved',
      ],
      manual: 'Vol. 3A, 4.7: RSVD in an error code comes with P',
    },
    {
      checks: ['a reserved bit in a pointer', 'an address that is too wide in one'],
      manual: 'Vol. 3A, 4.4.1: MOV to CR3 checks the pointers it loads',
    },
    {
      checks: ['PCIDE is for long mode alone'],
      manual: 'Vol. 3A, 4.10.1: CR4.PCIDE can be set with EFER.LMA alone',
    },
  ],
  features: [
    {
      checks: ['WRFSBASE of an address'],
      manual: 'Vol. 2D, WRFSBASE: an address that is not canonical is #GP(0)',
    },
  ],
  long4: LONG,
  long5: LONG,
  real: [
    {
      checks: [
        'a word at FFFF',
        'a double word at FFFD',
        'beyond 64 KiB',
        'beyond SS',
        'and only through that segment',
        'whose limits hold',
      ],
      manual: NO_LIMITS,
    },
  ],
  v86: [
    {
      checks: ['a handler of ring 1 cannot'],
      manual: 'Vol. 2A, INT n: from virtual-8086 mode a handler with DPL above 0 is #GP(selector)',
    },
    {
      checks: ['a word at offset FFFF', 'an address of 32 bits', 'beyond SS', 'a push across'],
      manual: NO_LIMITS,
    },
  ],
};
