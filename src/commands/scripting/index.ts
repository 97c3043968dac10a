/** EVAL, SCRIPT and FUNCTION; who runs scripts is engine/scripts/, the interpreter lua/. */
import { group } from '../define.ts'
import { evalCommand, evalRo, evalsha, evalshaRo } from './eval.ts'
import { fcall, fcallRo, functionCommand } from './function.ts'
import { script } from './script.ts'

export default group('scripting', [evalCommand, evalRo, evalsha, evalshaRo, fcall, fcallRo, functionCommand, script])
