/** The commands of Redis's group "cluster". */
import { group } from '../define.ts'
import { asking, cluster, readonly, readwrite } from './cluster.ts'

export default group('cluster', [asking, cluster, readonly, readwrite])
