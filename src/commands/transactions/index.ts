/** The commands of Redis's group "transactions". */
import { group } from '../define.ts'
import { discard, exec, multi, unwatch, watch } from './transactions.ts'

export default group('transactions', [discard, exec, multi, unwatch, watch])
