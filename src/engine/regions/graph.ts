import type { Encoding, ResolvedOperands } from '../../x86/mod.ts';

/** One guest instruction of a region. */
export interface RegionInstruction {
  /** offset from the region's base page; negative or beyond 4096 in a neighbour page */
  readonly at: number;
  readonly length: number;
  readonly encoding: Encoding;
  readonly shapeKey: number;
  readonly operands: ResolvedOperands;
  /** the decoded-instruction record, and the table index of its own handler */
  readonly record: number;
  readonly handler: number;
  /** how it continues: by a relative branch, a call, a return, or otherwise */
  readonly kind: 'branch' | 'call' | 'return' | 'other';
  /** offset of the relative target */
  readonly target: number | undefined;
  /** indirect jump: linear offset of the profile of its targets, see profile.ts; else 0 */
  readonly profile: number;
  /** cannot be translated: execution leaves to the handler here */
  readonly bails: boolean;
}

/** A basic block: straight-line code; the last instruction may branch. */
export interface RegionBlock {
  readonly id: number;
  readonly instructions: RegionInstruction[];
  /** block that the last instruction branches, calls or returns to, if in the region */
  taken: RegionBlock | undefined;
  /** blocks that the indirect jump at the end was seen to go to */
  readonly targets: RegionBlock[];
  /** block behind the last instruction, if in the region and reached */
  next: RegionBlock | undefined;
  /** position in reverse postorder */
  order: number;
  predecessors: RegionBlock[];
  dominator: RegionBlock | undefined;
  /** blocks this one immediately dominates */
  readonly dominated: RegionBlock[];
  /** a back-edge leads here */
  isLoop: boolean;
  /** more than one forward edge leads here */
  isMerge: boolean;
}

/** What was found of a region's code: its blocks are connected, and in no order. */
export interface RegionDraft {
  readonly root: RegionBlock;
  readonly blocks: readonly RegionBlock[];
  /** size of the code */
  readonly bits: 16 | 32 | 64;
  /** RIP of byte 0 of the base page, if the region is for this one alone: see CodeSource */
  readonly ripBase: number | undefined;
  /** page numbers relative to the base page that hold its code, with their frames */
  readonly pages: ReadonlyMap<number, number>;
  readonly instructionCount: number;
}

/** A region: blocks in reverse postorder, the root first. */
export interface RegionGraph extends RegionDraft {
  /** of a region that is traced: its instructions in the order of their marks (trace.ts) */
  marks?: RegionInstruction[];
}

export function successors(block: RegionBlock): RegionBlock[] {
  const list: RegionBlock[] = [];
  if (block.taken !== undefined) list.push(block.taken);
  if (block.next !== undefined && block.next !== block.taken) list.push(block.next);
  for (const target of block.targets) if (!list.includes(target)) list.push(target);
  return list;
}

/** The graph of a draft, whose blocks it takes over. */
export function completeGraph(draft: RegionDraft): RegionGraph {
  return { ...draft, blocks: analyse(draft.root) };
}

/** A block without connections. */
export function emptyBlock(id: number): RegionBlock {
  return {
    id,
    instructions: [],
    taken: undefined,
    targets: [],
    next: undefined,
    order: 0,
    predecessors: [],
    dominator: undefined,
    dominated: [],
    isLoop: false,
    isMerge: false,
  };
}

/**
 * Orders the blocks reachable from `root`, finds dominators (Cooper, Harvey and Kennedy's iteration), and
 * cuts retreating edges whose target does not dominate their source: those leave the region, which makes
 * every loop that stays reducible. Returns the blocks in reverse postorder.
 */
function analyse(root: RegionBlock): RegionBlock[] {
  let blocks = order(root);
  findDominators(blocks);
  let cut = false;
  for (const block of blocks) {
    for (const successor of successors(block)) {
      if (successor.order <= block.order && !dominates(successor, block)) {
        if (block.taken === successor) block.taken = undefined;
        if (block.next === successor) block.next = undefined;
        const index = block.targets.indexOf(successor);
        if (index >= 0) block.targets.splice(index, 1);
        cut = true;
      }
    }
  }
  if (cut) {
    blocks = order(root);
    findDominators(blocks);
  }
  for (const block of blocks) {
    let forward = 0;
    for (const predecessor of block.predecessors) {
      if (predecessor.order >= block.order) block.isLoop = true;
      else forward++;
    }
    block.isMerge = forward > 1;
  }
  for (const block of blocks) {
    if (block.dominator !== undefined && block !== root) block.dominator.dominated.push(block);
  }
  return blocks;
}

function order(root: RegionBlock): RegionBlock[] {
  const postorder: RegionBlock[] = [];
  const seen = new Set<RegionBlock>([root]);
  const stack: { block: RegionBlock; rest: RegionBlock[] }[] = [
    { block: root, rest: successors(root) },
  ];
  while (stack.length > 0) {
    const top = stack.at(-1) as { block: RegionBlock; rest: RegionBlock[] };
    const successor = top.rest.pop();
    if (successor === undefined) {
      postorder.push(top.block);
      stack.pop();
    } else if (!seen.has(successor)) {
      seen.add(successor);
      stack.push({ block: successor, rest: successors(successor) });
    }
  }
  const blocks = postorder.reverse();
  blocks.forEach((block, index) => {
    block.order = index;
    block.predecessors = [];
    block.dominator = undefined;
    block.dominated.length = 0;
    block.isLoop = false;
    block.isMerge = false;
  });
  for (const block of blocks)
    for (const successor of successors(block)) successor.predecessors.push(block);
  return blocks;
}

function findDominators(blocks: readonly RegionBlock[]): void {
  const root = blocks[0] as RegionBlock;
  root.dominator = root;
  for (let changed = true; changed; ) {
    changed = false;
    for (const block of blocks) {
      if (block === root) continue;
      let found: RegionBlock | undefined;
      for (const predecessor of block.predecessors) {
        if (predecessor.dominator === undefined) continue;
        found = found === undefined ? predecessor : meet(found, predecessor);
      }
      if (found !== block.dominator) {
        block.dominator = found;
        changed = true;
      }
    }
  }
}

function meet(left: RegionBlock, right: RegionBlock): RegionBlock {
  let [x, y] = [left, right];
  while (x !== y) {
    while (x.order > y.order) x = x.dominator as RegionBlock;
    while (y.order > x.order) y = y.dominator as RegionBlock;
  }
  return x;
}

function dominates(candidate: RegionBlock, block: RegionBlock): boolean {
  let at = block;
  while (at.order > candidate.order) at = at.dominator as RegionBlock;
  return at === candidate;
}
