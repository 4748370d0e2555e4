import { define, form } from '../form.ts';

/** ADD: destination ← destination + source. SDM Vol. 2A "ADD". */
export const add = define(
  'add',
  [
    form('00 /r', 'Eb Gb', 'lock'),
    form('01 /r', 'Ev Gv', 'lock'),
    form('02 /r', 'Gb Eb'),
    form('03 /r', 'Gv Ev'),
    form('04 ib', 'AL Ib'),
    form('05 iz', 'rAX Iz'),
    form('80 /0 ib', 'Eb Ib', 'lock'),
    form('82 /0 ib', 'Eb Ib', 'lock', 'no64'),
    form('81 /0 iz', 'Ev Iz', 'lock'),
    form('83 /0 ib', 'Ev Ib', 'lock'),
  ],
  (b, [destination, source]) => {
    const left = destination.readForUpdate();
    const right = source.read();
    const sum = b.signExtend(b.add(left, right), destination.width);
    destination.write(sum);
    b.flagsAdd(left, right, sum);
  },
);

/** ADC: destination ← destination + source + CF. SDM Vol. 2A "ADC". */
export const adc = define(
  'adc',
  [
    form('10 /r', 'Eb Gb', 'lock'),
    form('11 /r', 'Ev Gv', 'lock'),
    form('12 /r', 'Gb Eb'),
    form('13 /r', 'Gv Ev'),
    form('14 ib', 'AL Ib'),
    form('15 iz', 'rAX Iz'),
    form('80 /2 ib', 'Eb Ib', 'lock'),
    form('82 /2 ib', 'Eb Ib', 'lock', 'no64'),
    form('81 /2 iz', 'Ev Iz', 'lock'),
    form('83 /2 ib', 'Ev Ib', 'lock'),
  ],
  (b, [destination, source]) => {
    const left = destination.readForUpdate();
    const right = source.read();
    const carry = b.carry;
    const sum = b.signExtend(b.add(b.add(left, right), b.widen(carry)), destination.width);
    destination.write(sum);
    b.flagsAdd(left, right, sum, carry);
  },
);
