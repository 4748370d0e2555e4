import type { Instruction } from '../form.ts';
import { adc, add } from './add.ts';
import { adxInstructions } from './adx.ts';
import { bcdInstructions } from './bcd.ts';
import { bitInstructions } from './bit.ts';
import { bmiInstructions } from './bmi.ts';
import { boundInstructions } from './bound.ts';
import { callInstructions } from './call.ts';
import { cmovInstructions } from './cmov.ts';
import { cmpxchgInstructions } from './cmpxchg.ts';
import { convertInstructions } from './convert.ts';
import { crc32Instructions } from './crc32.ts';
import { divInstructions } from './div.ts';
import { doubleShiftInstructions } from './double-shift.ts';
import { fenceInstructions } from './fence.ts';
import { flagInstructions } from './flag.ts';
import { incInstructions } from './inc.ts';
import { jumpInstructions } from './jump.ts';
import { leaInstructions } from './lea.ts';
import { logicInstructions } from './logic.ts';
import { movInstructions } from './mov.ts';
import { movxInstructions } from './movx.ts';
import { mulInstructions } from './mul.ts';
import { negInstructions } from './neg.ts';
import { nopInstructions } from './nop.ts';
import { popInstructions } from './pop.ts';
import { pushInstructions } from './push.ts';
import { rotateInstructions } from './rotate.ts';
import { setccInstructions } from './setcc.ts';
import { shiftInstructions } from './shift.ts';
import { stringInstructions } from './string.ts';
import { subInstructions } from './sub.ts';
import { udInstructions } from './ud.ts';
import { xaddInstructions } from './xadd.ts';
import { xchgInstructions } from './xchg.ts';
import { xlatInstructions } from './xlat.ts';

/** All user-level integer instructions. */
export const integerInstructions: readonly Instruction[] = [
  add,
  adc,
  ...subInstructions,
  ...logicInstructions,
  ...incInstructions,
  ...negInstructions,
  ...mulInstructions,
  ...divInstructions,
  ...shiftInstructions,
  ...rotateInstructions,
  ...doubleShiftInstructions,
  ...bitInstructions,
  ...movInstructions,
  ...movxInstructions,
  ...leaInstructions,
  ...xchgInstructions,
  ...cmpxchgInstructions,
  ...xaddInstructions,
  ...pushInstructions,
  ...popInstructions,
  ...jumpInstructions,
  ...callInstructions,
  ...setccInstructions,
  ...cmovInstructions,
  ...stringInstructions,
  ...flagInstructions,
  ...convertInstructions,
  ...bcdInstructions,
  ...xlatInstructions,
  ...boundInstructions,
  ...nopInstructions,
  ...udInstructions,
  ...fenceInstructions,
  ...bmiInstructions,
  ...adxInstructions,
  ...crc32Instructions,
];
