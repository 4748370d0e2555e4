export { type FlashMemory, type FlashState, NorFlash, type NorFlashOptions } from './nor-flash.ts';
