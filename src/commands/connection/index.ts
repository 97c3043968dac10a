/** The commands of Redis's group "connection". */
import { group } from '../define.ts'
import { echo, ping, quit, select } from './basics.ts'
import { client } from './client.ts'
import { auth, hello, reset } from './session.ts'

export default group('connection', [auth, client, echo, hello, ping, quit, reset, select])
