/** What the test uses of redlock 4, which has no types of its own. */
declare module 'redlock' {
  export interface Lock {
    unlock(): Promise<void>
    extend(ttlMs: number): Promise<Lock>
  }
  export default class Redlock {
    constructor(clients: unknown[], options: { retryCount: number; retryDelay?: number })
    lock(resource: string, ttlMs: number): Promise<Lock>
  }
}
