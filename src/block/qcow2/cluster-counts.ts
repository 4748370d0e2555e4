import { VivariumError } from '../../util/mod.ts';

const PAGE_CLUSTERS = 1024;
/** Half a GiB of counts: of 8 TiB in clusters of the usual 64 KiB, of 64 GiB in those of 512 bytes. */
const MOST_PAGES = 2 ** 17;

/** How often each cluster is used. Clusters in use lie together, so counts are kept by the page. */
export class ClusterCounts {
  readonly #name: string;
  readonly #pages = new Map<number, Uint32Array>();

  /** @param name of the image, for errors */
  constructor(name: string) {
    this.#name = name;
  }

  get(cluster: number): number {
    const page = this.#pages.get(Math.floor(cluster / PAGE_CLUSTERS));
    return page?.[cluster % PAGE_CLUSTERS] ?? 0;
  }

  /** Counts a cluster once more. Throws `disk-size` when there are too many, or they lie too far apart, to be counted. */
  add(cluster: number): void {
    const number = Math.floor(cluster / PAGE_CLUSTERS);
    let page = this.#pages.get(number);
    if (page === undefined) {
      if (this.#pages.size === MOST_PAGES)
        throw new VivariumError(
          'disk-size',
          `the disk image ${this.#name} uses more clusters than Vivarium counts; check it with: qemu-img check`,
        );
      page = new Uint32Array(PAGE_CLUSTERS);
      this.#pages.set(number, page);
    }
    const index = cluster % PAGE_CLUSTERS;
    page[index] = (page[index] as number) + 1;
  }

  /** The clusters that are used at all. */
  *used(): Generator<number> {
    for (const [number, page] of this.#pages) {
      for (const [index, count] of page.entries())
        if (count > 0) yield number * PAGE_CLUSTERS + index;
    }
  }
}
