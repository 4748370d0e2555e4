/** What a person does to a machine besides its console: keys and mouse. */
export type UserInput =
  /** a key goes down or up: bytes of scan code set 2 */
  | { readonly kind: 'key'; readonly codes: readonly number[] }
  | {
      readonly kind: 'mouse';
      /** movement to the right and up, in steps */
      readonly dx: number;
      readonly dy: number;
      /** positive towards the person */
      readonly wheel: number;
      /** left, right and middle in bits 0, 1 and 2 */
      readonly buttons: number;
    };
