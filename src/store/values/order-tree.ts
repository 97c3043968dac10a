/**
 * The order of a large sorted set: a B+ tree of (score, reference of the member), which counts what is below each child,
 * so that ranks are found on the way down. It takes the place of Redis's skiplist with spans (redis 7.0.15 t_zset.c
 * zslInsert): 12 bytes a member and a fifth of slack, no object a member.
 *
 *    branch   up to 64 children, with the count of members below and the first leaf of each
 *    leaf     up to 128 scores and references in two typed arrays, linked to its neighbours
 *
 * Whoever looks for a place gives a function that says of a member whether it comes before that place.
 */
const LEAF_MAX = 128
const LEAF_FIRST = 8
const BRANCH_MAX = 64
const LEAF_OVERHEAD_BYTES = 280
const BRANCH_BYTES = 1400

export type IsBefore = (score: number, ref: number) => boolean

class Leaf {
  scores = new Float64Array(LEAF_FIRST)
  refs = new Uint32Array(LEAF_FIRST)
  count = 0
  next: Leaf | null = null
  previous: Leaf | null = null

  get first(): Leaf {
    return this
  }

  /** Index of the first member that does not come before. */
  search(isBefore: IsBefore): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (isBefore(this.scores[middle]!, this.refs[middle]!)) low = middle + 1
      else high = middle
    }
    return low
  }

  insert(at: number, score: number, ref: number): void {
    this.scores.copyWithin(at + 1, at, this.count)
    this.refs.copyWithin(at + 1, at, this.count)
    this.scores[at] = score
    this.refs[at] = ref
    this.count++
  }

  remove(at: number): void {
    this.scores.copyWithin(at, at + 1, this.count)
    this.refs.copyWithin(at, at + 1, this.count)
    this.count--
  }

  resize(length: number): void {
    const scores = new Float64Array(length)
    const refs = new Uint32Array(length)
    scores.set(this.scores.subarray(0, this.count))
    refs.set(this.refs.subarray(0, this.count))
    this.scores = scores
    this.refs = refs
  }

  get bytes(): number {
    return this.scores.length * 12 + LEAF_OVERHEAD_BYTES
  }
}

class Branch {
  children: Node[] = []
  /** All members below. */
  count = 0
  first: Leaf

  constructor(first: Leaf) {
    this.first = first
  }

  /** Index of the child whose members include the first that does not come before, or follow right before it. */
  search(isBefore: IsBefore): number {
    let low = 1
    let high = this.children.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const leaf = this.children[middle]!.first
      if (isBefore(leaf.scores[0]!, leaf.refs[0]!)) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

type Node = Leaf | Branch

export class OrderTree {
  memoryBytes = 0
  /** Where seek() stopped. */
  leaf: Leaf | null = null
  index = 0

  #root: Node = new Leaf()

  constructor() {
    this.memoryBytes = this.#root.first.bytes
  }

  get size(): number {
    return this.#root.count
  }

  /** Adds a member at the place that `isBefore` tells. */
  insert(isBefore: IsBefore, score: number, ref: number): void {
    const sibling = this.#insert(this.#root, isBefore, score, ref)
    if (sibling === null) return
    const root = new Branch(this.#root.first)
    root.children.push(this.#root, sibling)
    root.count = this.#root.count + sibling.count
    this.memoryBytes += BRANCH_BYTES
    this.#root = root
  }

  #insert(node: Node, isBefore: IsBefore, score: number, ref: number): Node | null {
    if (node instanceof Leaf) return this.#insertInLeaf(node, isBefore, score, ref)
    const at = node.search(isBefore)
    const sibling = this.#insert(node.children[at]!, isBefore, score, ref)
    node.count++
    if (sibling === null) return null
    node.children.splice(at + 1, 0, sibling)
    return node.children.length > BRANCH_MAX ? this.#splitBranch(node) : null
  }

  #insertInLeaf(leaf: Leaf, isBefore: IsBefore, score: number, ref: number): Leaf | null {
    const at = leaf.search(isBefore)
    if (leaf.count === LEAF_MAX) {
      // Members that arrive in order leave full leaves behind.
      const keep = at === LEAF_MAX && leaf.next === null ? LEAF_MAX : LEAF_MAX >> 1
      const right = this.#splitLeaf(leaf, keep)
      if (at > keep || keep === LEAF_MAX) right.insert(at - keep, score, ref)
      else leaf.insert(at, score, ref)
      return right
    }
    if (leaf.count === leaf.scores.length) this.#resize(leaf, leaf.count * 2)
    leaf.insert(at, score, ref)
    return null
  }

  #resize(leaf: Leaf, length: number): void {
    this.memoryBytes -= leaf.bytes
    leaf.resize(length)
    this.memoryBytes += leaf.bytes
  }

  #splitLeaf(leaf: Leaf, keep: number): Leaf {
    const right = new Leaf()
    right.resize(LEAF_MAX)
    right.scores.set(leaf.scores.subarray(keep, leaf.count))
    right.refs.set(leaf.refs.subarray(keep, leaf.count))
    right.count = leaf.count - keep
    leaf.count = keep
    right.next = leaf.next
    right.previous = leaf
    if (leaf.next !== null) leaf.next.previous = right
    leaf.next = right
    this.memoryBytes += right.bytes
    return right
  }

  #splitBranch(branch: Branch): Branch {
    const moved = branch.children.splice(branch.children.length >> 1)
    const right = new Branch(moved[0]!.first)
    right.children = moved
    for (const child of moved) right.count += child.count
    branch.count -= right.count
    this.memoryBytes += BRANCH_BYTES
    return right
  }

  /** Removes the first member that does not come before. */
  remove(isBefore: IsBefore): void {
    const rank = this.rank(isBefore)
    this.removeAt(rank)
  }

  removeAt(rank: number): void {
    this.#remove(this.#root, rank)
    while (this.#root instanceof Branch && this.#root.children.length === 1) {
      this.#root = this.#root.children[0]!
      this.memoryBytes -= BRANCH_BYTES
    }
  }

  #remove(node: Node, rank: number): void {
    if (node instanceof Leaf) {
      node.remove(rank)
      return
    }
    let left = rank
    let at = 0
    while (left >= node.children[at]!.count) left -= node.children[at++]!.count
    this.#remove(node.children[at]!, left)
    node.count--
    this.#balance(node, at)
    node.first = node.children[0]!.first
  }

  /** Child `at` has lost a member: joins it with a neighbour if both are small. */
  #balance(branch: Branch, at: number): void {
    const child = branch.children[at]!
    const small = child instanceof Leaf ? child.count < LEAF_MAX >> 2 : child.children.length < BRANCH_MAX >> 2
    if (!small || branch.children.length === 1) return
    const left = at === 0 ? 0 : at - 1
    const into = branch.children[left]!
    const from = branch.children[left + 1]!
    if (into instanceof Leaf && from instanceof Leaf) {
      if (into.count + from.count > (LEAF_MAX * 3) >> 2 && into.count > 0 && from.count > 0) return
      this.#joinLeaves(into, from)
    } else if (into instanceof Branch && from instanceof Branch) {
      into.children.push(...from.children)
      into.count += from.count
      this.memoryBytes -= BRANCH_BYTES
      if (into.children.length > (BRANCH_MAX * 3) >> 2) {
        branch.children[left + 1] = this.#splitBranch(into)
        return
      }
    }
    branch.children.splice(left + 1, 1)
  }

  #joinLeaves(into: Leaf, from: Leaf): void {
    const count = into.count + from.count
    if (count > into.scores.length) this.#resize(into, LEAF_MAX)
    into.scores.set(from.scores.subarray(0, from.count), into.count)
    into.refs.set(from.refs.subarray(0, from.count), into.count)
    into.count = count
    into.next = from.next
    if (from.next !== null) from.next.previous = into
    this.memoryBytes -= from.bytes
  }

  /** How many members come before. */
  rank(isBefore: IsBefore): number {
    let node = this.#root
    let rank = 0
    while (node instanceof Branch) {
      const at = node.search(isBefore)
      for (let i = 0; i < at; i++) rank += node.children[i]!.count
      node = node.children[at]!
    }
    return rank + node.search(isBefore)
  }

  /** Sets leaf and index to the member of this rank, which must exist. */
  seek(rank: number): void {
    let node = this.#root
    let left = rank
    while (node instanceof Branch) {
      let at = 0
      while (left >= node.children[at]!.count) left -= node.children[at++]!.count
      node = node.children[at]!
    }
    this.leaf = node
    this.index = left
  }

  /** The first member that does not come before is at another place from now on. */
  replaceRef(isBefore: IsBefore, to: number): void {
    let node = this.#root
    while (node instanceof Branch) node = node.children[node.search(isBefore)]!
    const at = node.search(isBefore)
    if (at < node.count) node.refs[at] = to
    else node.next!.refs[0] = to
  }
}
