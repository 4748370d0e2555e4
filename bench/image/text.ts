/** Text that compresses and sorts like text: words of uneven frequency, the same every time. */
export function sampleText(bytes: number): string {
  let seed = 1;
  const random = (limit: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return Math.floor((seed / 2 ** 32) * limit);
  };
  const syllables = 'ka re mi so tu la ne vi do pa chi ro en un is al'.split(' ');
  const words = Array.from({ length: 3000 }, () =>
    Array.from({ length: 1 + random(4) }, () => syllables[random(syllables.length)]).join(''),
  );
  let text = '';
  while (text.length < bytes) {
    const line: string[] = [];
    // The square makes some words frequent.
    for (let count = 4 + random(10); count > 0; count--) {
      line.push(words[Math.floor((random(1000) / 1000) ** 2 * words.length)] as string);
    }
    text += `${line.join(' ')}\n`;
  }
  return text.slice(0, bytes);
}
