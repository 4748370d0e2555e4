import type { Helper } from '../cpu.ts';
import { controlHelpers } from './control.ts';
import { fxsaveHelpers } from './fxsave.ts';
import { moveHelpers } from './move.ts';
import { operateHelpers } from './operate.ts';
import { quickHelpers } from './quick/routines.ts';
import { transcendentalHelpers } from './transcendental-helpers.ts';
import { xsaveHelpers } from './xsave.ts';

export { initializeFpu } from './registers.ts';
export { MXCSR_INITIAL, MXCSR_MASK } from './words.ts';
export {
  compactedAreaBytes,
  standardAreaBytes,
  type XsaveComponent,
  xsaveComponents,
} from './xsave.ts';

/** Every helper of the x87 and of the extended-state instructions, by the name definitions use. */
export const fpuHelpers: Record<string, Helper> = {
  ...controlHelpers,
  ...moveHelpers,
  ...operateHelpers,
  ...quickHelpers,
  ...transcendentalHelpers,
  ...fxsaveHelpers,
  ...xsaveHelpers,
};
