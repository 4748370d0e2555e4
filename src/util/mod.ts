export { assert, unreachable } from './assert.ts';
export { VivariumError } from './error.ts';
