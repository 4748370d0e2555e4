export { type Stroke, strokesOf } from './us-keyboard.ts';
