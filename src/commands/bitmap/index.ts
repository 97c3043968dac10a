/** The commands of Redis's group "bitmap". */
import { group } from '../define.ts'
import { bitop } from './combine.ts'
import { bitfield, bitfieldRo } from './field.ts'
import { bitcount, bitpos } from './range.ts'
import { getbit, setbit } from './single.ts'

export default group('bitmap', [bitcount, bitfield, bitfieldRo, bitop, bitpos, getbit, setbit])
