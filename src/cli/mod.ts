export { viv } from './main.ts';
