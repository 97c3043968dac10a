/**
 * The order of a large sorted set: a B+ tree of (score, reference of the member), which counts what is below each child,
 * so that ranks are found on the way down. It takes the place of Redis's skiplist with spans (redis 7.0.15 t_zset.c
 * zslInsert): 12 bytes a member and a fifth of slack, no object a member.
 *
 *    branch   up to 64 children, with the least score, the first leaf and the count of members of each
 *    leaf     up to 128 scores and references in two typed arrays, linked to its neighbours
 *
 * Who looks for a place says of a member whether it comes before that place; the members that do are always the first
 * ones. A member itself counts as before its own place, so it is the last of those.
 */
const LEAF_MAX = 128
const LEAF_FIRST = 8
const BRANCH_MAX = 64
const LEAF_OVERHEAD_BYTES = 280
const BRANCH_BYTES = 1600

export interface Place {
  /** Members of a lower score come before, those of a higher one do not. NaN: score does not count. */
  readonly score: number
  /** The same for a member of this very score. */
  isBefore(ref: number): boolean
}

class Leaf {
  scores = new Float64Array(LEAF_FIRST)
  refs = new Uint32Array(LEAF_FIRST)
  count = 0
  next: Leaf | null = null
  previous: Leaf | null = null

  get first(): Leaf {
    return this
  }

  /** How many come before. */
  search(place: Place): number {
    const { scores, refs } = this
    const { score } = place
    const isScored = !Number.isNaN(score)
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      const own = scores[middle]!
      if (own !== score && isScored ? own < score : place.isBefore(refs[middle]!)) low = middle + 1
      else high = middle
    }
    return low
  }

  insert(at: number, score: number, ref: number): void {
    const { scores, refs } = this
    for (let i = this.count; i > at; i--) {
      scores[i] = scores[i - 1]!
      refs[i] = refs[i - 1]!
    }
    scores[at] = score
    refs[at] = ref
    this.count++
  }

  remove(at: number): void {
    const { scores, refs } = this
    const last = --this.count
    for (let i = at; i < last; i++) {
      scores[i] = scores[i + 1]!
      refs[i] = refs[i + 1]!
    }
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
  /** Score of the first member of each child, so that most of a search does not visit them. */
  scores = new Float64Array(BRANCH_MAX + 1)
  /** All members below. */
  count = 0
  first: Leaf

  constructor(children: Node[]) {
    this.children = children
    this.first = children[0]!.first
    this.refresh()
  }

  /** Computes anew what is kept of the children. */
  refresh(): void {
    this.count = 0
    for (let i = 0; i < this.children.length; i++) {
      const child = this.children[i]!
      this.count += child.count
      this.scores[i] = child.first.scores[0]!
    }
    this.first = this.children[0]!.first
  }

  /** The last child whose first member comes before, or the first child. */
  search(place: Place): number {
    const { children, scores } = this
    const { score } = place
    const isScored = !Number.isNaN(score)
    let low = 1
    let high = children.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const own = scores[middle]!
      if (own !== score && isScored ? own < score : place.isBefore(children[middle]!.first.refs[0]!)) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

type Node = Leaf | Branch

export class OrderTree {
  memoryBytes = 0
  /** Where seek() or locate() stopped. */
  leaf: Leaf | null = null
  index = 0

  #root: Node = new Leaf()
  /** The branches above the leaf that locate() stopped in, as many as #depth says. */
  #path: Branch[] = []
  #depth = 0

  constructor() {
    this.memoryBytes = this.#root.first.bytes
  }

  get size(): number {
    return this.#root.count
  }

  /** Adds a member behind those that come before. */
  insert(place: Place, score: number, ref: number): void {
    const sibling = this.#insert(this.#root, place, score, ref)
    if (sibling === null) return
    this.memoryBytes += BRANCH_BYTES
    this.#root = new Branch([this.#root, sibling])
  }

  #insert(node: Node, place: Place, score: number, ref: number): Node | null {
    if (node instanceof Leaf) return this.#insertInLeaf(node, place, score, ref)
    const at = node.search(place)
    const sibling = this.#insert(node.children[at]!, place, score, ref)
    if (sibling === null) {
      node.count++
      if (at === 0) node.scores[0] = node.first.scores[0]!
      return null
    }
    node.children.splice(at + 1, 0, sibling)
    if (node.children.length > BRANCH_MAX) return this.#splitBranch(node)
    node.refresh()
    return null
  }

  #insertInLeaf(leaf: Leaf, place: Place, score: number, ref: number): Leaf | null {
    const at = leaf.search(place)
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
    const right = new Branch(branch.children.splice(branch.children.length >> 1))
    branch.refresh()
    this.memoryBytes += BRANCH_BYTES
    return right
  }

  /** Removes the last member of those that come before. */
  remove(place: Place): void {
    this.#remove(this.#root, place, 0)
    this.#dropEmptyRoot()
  }

  removeAt(rank: number): void {
    this.#remove(this.#root, null, rank)
    this.#dropEmptyRoot()
  }

  #dropEmptyRoot(): void {
    while (this.#root instanceof Branch && this.#root.children.length === 1) {
      this.#root = this.#root.children[0]!
      this.memoryBytes -= BRANCH_BYTES
    }
  }

  /** By rank where there is no place. */
  #remove(node: Node, place: Place | null, rank: number): void {
    if (node instanceof Leaf) {
      node.remove(place === null ? rank : node.search(place) - 1)
      return
    }
    let left = rank
    let at = 0
    if (place !== null) at = node.search(place)
    else while (left >= node.children[at]!.count) left -= node.children[at++]!.count
    const child = node.children[at]!
    this.#remove(child, place, left)
    node.count--
    if (isSmall(child) && node.children.length > 1 && this.#join(node, at)) node.refresh()
    else node.scores[at] = child.first.scores[0]!
    node.first = node.children[0]!.first
  }

  /** Joins child `at` with a neighbour, or evens both out. False if they stay as they are. */
  #join(branch: Branch, at: number): boolean {
    const left = at === 0 ? 0 : at - 1
    const into = branch.children[left]!
    const from = branch.children[left + 1]!
    if (into instanceof Leaf && from instanceof Leaf) {
      if (into.count + from.count > (LEAF_MAX * 3) >> 2 && into.count > 0 && from.count > 0) return false
      this.#joinLeaves(into, from)
    } else if (into instanceof Branch && from instanceof Branch) {
      into.children.push(...from.children)
      this.memoryBytes -= BRANCH_BYTES
      if (into.children.length > (BRANCH_MAX * 3) >> 2) {
        branch.children[left + 1] = this.#splitBranch(into)
        return true
      }
      into.refresh()
    }
    branch.children.splice(left + 1, 1)
    return true
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
  rank(place: Place): number {
    let node = this.#root
    let rank = 0
    while (node instanceof Branch) {
      const at = node.search(place)
      for (let i = 0; i < at; i++) rank += node.children[i]!.count
      node = node.children[at]!
    }
    return rank + node.search(place)
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

  /** Sets leaf and index to the last member of those that come before. */
  locate(place: Place): void {
    let node = this.#root
    let depth = 0
    while (node instanceof Branch) {
      this.#path[depth++] = node
      node = node.children[node.search(place)]!
    }
    this.#depth = depth
    this.leaf = node
    this.index = node.search(place) - 1
  }

  /**
   * Removes what locate() has just found, without a search, if the shape of the tree stays as it is. False if it would not:
   * a leaf too small, or another first member, of which the branches know.
   */
  removeLocated(): boolean {
    const leaf = this.leaf!
    if (this.index === 0 || leaf.count <= LEAF_MAX >> 2) return false
    for (let i = 0; i < this.#depth; i++) this.#path[i]!.count--
    leaf.remove(this.index)
    return true
  }
}

function isSmall(node: Node): boolean {
  return node instanceof Leaf ? node.count < LEAF_MAX >> 2 : node.children.length < BRANCH_MAX >> 2
}
