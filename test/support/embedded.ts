/** Embedded replicas for tests, closed with them. */
import { type CreateReplicaOptions, createReplica, type Replica } from '../../src/index.ts'
import type { Cleanup } from './cleanup.ts'

export async function replicaOf(
  t: Cleanup,
  from: string,
  options: Omit<CreateReplicaOptions, 'from'> = {},
): Promise<Replica> {
  const replica = await createReplica({ from, ...options })
  t.after(() => replica.close())
  return replica
}

/** What a read gives; of an error its text. */
export function told(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    return errorText(error as Error)
  }
}

export function errorText({ message }: Error): string {
  return `error: ${message}`
}
