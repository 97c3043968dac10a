/**
 * Up to which size a value is packed. One object for the process: what composes a server writes the options into it by
 * their names, so that nothing has to be passed down to each place where an element is added.
 */
export class EncodingLimits {
  'hash-max-listpack-entries' = 512
  'hash-max-listpack-value' = 64
  'set-max-intset-entries' = 512
  'zset-max-listpack-entries' = 128
  'zset-max-listpack-value' = 64
  /** Elements of a list node, or if negative its size class. */
  'list-max-listpack-size' = -2
  /** Kept for CONFIG only: list nodes are not compressed. */
  'list-compress-depth' = 0
  /** Of a stream node; 0 without limit. */
  'stream-node-max-bytes' = 4096
  'stream-node-max-entries' = 100

  get hashMaxListpackEntries(): number {
    return this['hash-max-listpack-entries']
  }

  get hashMaxListpackValue(): number {
    return this['hash-max-listpack-value']
  }

  get setMaxIntsetEntries(): number {
    return this['set-max-intset-entries']
  }

  get zsetMaxListpackEntries(): number {
    return this['zset-max-listpack-entries']
  }

  get zsetMaxListpackValue(): number {
    return this['zset-max-listpack-value']
  }

  get listMaxListpackSize(): number {
    return this['list-max-listpack-size']
  }

  get streamNodeMaxBytes(): number {
    return this['stream-node-max-bytes']
  }

  get streamNodeMaxEntries(): number {
    return this['stream-node-max-entries']
  }
}

export const encodingLimits = new EncodingLimits()
