import { define, form, type Instruction } from '../form.ts';

/** SUB: destination ← destination − source. SDM Vol. 2B "SUB". */
export const sub = define(
  'sub',
  [
    form('28 /r', 'Eb Gb', 'lock'),
    form('29 /r', 'Ev Gv', 'lock'),
    form('2A /r', 'Gb Eb'),
    form('2B /r', 'Gv Ev'),
    form('2C ib', 'AL Ib'),
    form('2D iz', 'rAX Iz'),
    form('80 /5 ib', 'Eb Ib', 'lock'),
    form('82 /5 ib', 'Eb Ib', 'lock', 'no64'),
    form('81 /5 iz', 'Ev Iz', 'lock'),
    form('83 /5 ib', 'Ev Ib', 'lock'),
  ],
  (b, [destination, source]) => {
    const left = destination.readForUpdate();
    const right = source.read();
    const difference = b.signExtend(b.sub(left, right), destination.width);
    destination.write(difference);
    b.flagsSub(left, right, difference);
  },
);

/** SBB: destination ← destination − source − CF. SDM Vol. 2B "SBB". */
export const sbb = define(
  'sbb',
  [
    form('18 /r', 'Eb Gb', 'lock'),
    form('19 /r', 'Ev Gv', 'lock'),
    form('1A /r', 'Gb Eb'),
    form('1B /r', 'Gv Ev'),
    form('1C ib', 'AL Ib'),
    form('1D iz', 'rAX Iz'),
    form('80 /3 ib', 'Eb Ib', 'lock'),
    form('82 /3 ib', 'Eb Ib', 'lock', 'no64'),
    form('81 /3 iz', 'Ev Iz', 'lock'),
    form('83 /3 ib', 'Ev Ib', 'lock'),
  ],
  (b, [destination, source]) => {
    const left = destination.readForUpdate();
    const right = source.read();
    const borrow = b.carry;
    const difference = b.signExtend(b.sub(b.sub(left, right), b.widen(borrow)), destination.width);
    destination.write(difference);
    b.flagsSub(left, right, difference, borrow);
  },
);

/** CMP: flags of left − right. SDM Vol. 2A "CMP". */
export const cmp = define(
  'cmp',
  [
    form('38 /r', 'Eb Gb'),
    form('39 /r', 'Ev Gv'),
    form('3A /r', 'Gb Eb'),
    form('3B /r', 'Gv Ev'),
    form('3C ib', 'AL Ib'),
    form('3D iz', 'rAX Iz'),
    form('80 /7 ib', 'Eb Ib'),
    form('82 /7 ib', 'Eb Ib', 'no64'),
    form('81 /7 iz', 'Ev Iz'),
    form('83 /7 ib', 'Ev Ib'),
  ],
  (b, [first, second]) => {
    const left = first.read();
    const right = second.read();
    b.flagsSub(left, right, b.signExtend(b.sub(left, right), first.width));
  },
);

export const subInstructions: readonly Instruction[] = [sub, sbb, cmp];
