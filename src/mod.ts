/** The npm door of Vivarium. */
export { VivariumError } from './util/mod.ts';
