import { readFile } from 'node:fs/promises';

/** A column as both the Prisma schema and the catalogue can describe it. */
export interface Column {
  readonly table: string;
  readonly name: string;
  /** Postgres's short name (`udt_name`): `text`, `int4`, `_text` for an array, an enum's own name. */
  readonly type: string;
  readonly isNullable: boolean;
}

/** What a Prisma schema says the database holds. */
export interface DataModel {
  readonly columns: readonly Column[];
  /** Labels in order, by the name of the type. */
  readonly enums: ReadonlyMap<string, readonly string[]>;
  /** Columns that are unique together, primary keys among them: `job (tenant_id, id)`. */
  readonly keys: ReadonlySet<string>;
}

interface Block {
  readonly kind: string;
  readonly name: string;
  readonly dbName: string;
  readonly lines: readonly string[];
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['String', 'text'],
  ['Int', 'int4'],
  ['BigInt', 'int8'],
  ['Float', 'float8'],
  ['Boolean', 'bool'],
  ['Json', 'jsonb'],
  ['Bytes', 'bytea'],
  ['Decimal', 'numeric'],
  ['DateTime', 'timestamptz'],
]);

/**
 * Reads the models and enums of a Prisma schema. Written for the test that compares it with the
 * catalogue, because the generated client keeps neither nullability nor keys.
 */
export async function readDataModel(file: string): Promise<DataModel> {
  const blocks = parseBlocks(await readFile(file, 'utf8'));
  const enums = new Map(
    blocks
      .filter(({ kind }) => kind === 'enum')
      .map(({ name, dbName, lines }) => [name, { dbName, labels: lines }]),
  );
  const typeOf = (prismaType: string) => TYPES.get(prismaType) ?? enums.get(prismaType)?.dbName ?? null;
  const models = blocks.filter(({ kind }) => kind === 'model');
  return {
    columns: models.flatMap((model) =>
      fieldsOf(model).flatMap((field) => columnOf(model, field, typeOf) ?? []),
    ),
    enums: new Map([...enums.values()].map(({ dbName, labels }) => [dbName, labels])),
    keys: new Set(models.flatMap(keysOf)),
  };
}

function parseBlocks(source: string): readonly Block[] {
  return [...source.matchAll(/^(model|enum) (\w+) \{\n([\s\S]*?)^\}/gm)].map(
    ([, kind = '', name = '', body = '']) => {
      const lines = body.split('\n').map((line) => line.trim());
      const dbName = lines
        .map((line) => /^@@map\("(\w+)"\)/.exec(line)?.[1])
        .find((mapped) => mapped !== undefined);
      return {
        kind,
        name,
        dbName: dbName ?? name,
        lines: lines.filter((line) => line !== '' && !line.startsWith('//') && !line.startsWith('@@map')),
      };
    },
  );
}

interface Field {
  readonly name: string;
  readonly type: string;
  readonly suffix: string;
  readonly dbName: string;
  readonly attributes: string;
}

function fieldsOf({ lines }: Block): readonly Field[] {
  return lines.flatMap((line) => {
    const [, name, type, suffix = '', attributes = ''] = /^(\w+)\s+(\w+)(\?|\[\])?\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || type === undefined) return [];
    return [{ name, type, suffix, attributes, dbName: /@map\("(\w+)"\)/.exec(attributes)?.[1] ?? name }];
  });
}

function columnOf(
  { dbName }: Block,
  field: Field,
  typeOf: (prismaType: string) => string | null,
): Column | null {
  const type = typeOf(field.type);
  // A relation: a field of the client only.
  if (type === null) return null;
  return {
    table: dbName,
    name: field.dbName,
    type: field.suffix === '[]' ? `_${type}` : type,
    isNullable: field.suffix === '?',
  };
}

function keysOf(model: Block): readonly string[] {
  const fields = fieldsOf(model);
  const columnNamed = (name: string) => fields.find((field) => field.name === name)?.dbName ?? name;
  const single = fields
    .filter(({ attributes }) => /@(id|unique)\b/.test(attributes))
    .map(({ dbName }) => dbName);
  const composite = model.lines.flatMap((line) => {
    const names = /^@@(?:id|unique)\(\[(.*?)\]/.exec(line)?.[1];
    return names === undefined ? [] : [names.split(/,\s*/).map(columnNamed).join(', ')];
  });
  return [...single, ...composite].map((columns) => `${model.dbName} (${columns})`);
}
