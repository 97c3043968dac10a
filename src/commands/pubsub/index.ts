/** The commands of Redis's group "pubsub". */
import { group } from '../define.ts'
import { publish, spublish } from './publish.ts'
import { pubsub } from './pubsub.ts'
import { psubscribe, punsubscribe, ssubscribe, subscribe, sunsubscribe, unsubscribe } from './subscribe.ts'

export default group('pubsub', [
  publish,
  pubsub,
  psubscribe,
  punsubscribe,
  spublish,
  ssubscribe,
  subscribe,
  sunsubscribe,
  unsubscribe,
])
