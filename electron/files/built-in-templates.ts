import blender from '../../resources/templates/blender.json' with { type: 'json' };
import cmake from '../../resources/templates/cmake.json' with { type: 'json' };
import command from '../../resources/templates/command.json' with { type: 'json' };
import ffmpeg from '../../resources/templates/ffmpeg.json' with { type: 'json' };
import make from '../../resources/templates/make.json' with { type: 'json' };
import npm from '../../resources/templates/npm.json' with { type: 'json' };
import povray from '../../resources/templates/povray.json' with { type: 'json' };
import pythonSweep from '../../resources/templates/python-sweep.json' with { type: 'json' };

/** The templates that come with the program, by id. Imported, so that they are there however the program was packed. */
export const BUILT_IN_TEMPLATES: Readonly<Record<string, unknown>> = {
  blender,
  cmake,
  command,
  ffmpeg,
  make,
  npm,
  povray,
  'python-sweep': pythonSweep,
};
