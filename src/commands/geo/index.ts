/** The commands of Redis's group "geo". */
import { group } from '../define.ts'
import { geoadd } from './add.ts'
import { geosearch, geosearchstore } from './geosearch.ts'
import { georadius, georadiusbymember, georadiusbymemberRo, georadiusRo } from './radius.ts'
import { geodist, geohash, geopos } from './read.ts'

export default group('geo', [
  geoadd,
  geodist,
  geohash,
  geopos,
  georadius,
  georadiusRo,
  georadiusbymember,
  georadiusbymemberRo,
  geosearch,
  geosearchstore,
])
