import type { z } from 'zod';
import { coordinatorSettingsSchema, workerSettingsSchema } from '../../shared/settings.ts';

export type SettingsSection = 'coordinator' | 'worker';
export type SettingKind = 'text' | 'number' | 'switch' | 'duration' | 'mebibytes' | 'bytes' | 'list' | 'map';

/** One setting with its names in every source. */
export interface Setting {
  readonly section: SettingsSection;
  /** Its name in the schema and in `settings.json`. */
  readonly key: string;
  readonly kind: SettingKind;
  /** Without the dashes. */
  readonly flag: string;
  readonly variable: string;
  readonly description: string;
  /** Undefined: the description says what holds then. */
  readonly fallback: unknown;
  readonly schema: z.ZodType;
}

/** Where the name in the schema would be unclear, or taken, on the command line. */
const FLAGS: Readonly<Record<string, string>> = {
  'coordinator.farmName': 'farm',
  'worker.host': 'allow-host',
  'worker.labels': 'label',
  'worker.allowedImages': 'allowed-image',
};

/** Every setting of both schemas, in their order. One that both have stands in both, under one flag and one variable. */
export const SETTINGS: readonly Setting[] = [
  ...settingsOf('coordinator', coordinatorSettingsSchema.shape),
  ...settingsOf('worker', workerSettingsSchema.shape),
];

function settingsOf(section: SettingsSection, shape: Readonly<Record<string, z.ZodType>>): Setting[] {
  return Object.entries(shape).map(([key, schema]) => {
    const flag = FLAGS[`${section}.${key}`] ?? key.replace(/Ms$/, '').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return {
      section,
      key,
      schema,
      flag,
      kind: kindOf(key, schema),
      variable: `LANYARD_${flag.replaceAll('-', '_').toUpperCase()}`,
      description: schema.description ?? '',
      fallback: schema.safeParse(undefined).data,
    };
  });
}

function kindOf(key: string, schema: z.ZodType): SettingKind {
  switch (innermost(schema).type) {
    case 'boolean':
      return 'switch';
    case 'array':
      return 'list';
    case 'record':
      return 'map';
    case 'number':
      if (key.endsWith('Ms')) return 'duration';
      if (key.endsWith('Mb')) return 'mebibytes';
      return /Bytes|bytes/.test(key) ? 'bytes' : 'number';
    default:
      return 'text';
  }
}

function innermost(schema: z.ZodType): z.ZodType {
  const { innerType } = schema.def as { readonly innerType?: z.ZodType };
  return innerType === undefined ? schema : innermost(innerType);
}
