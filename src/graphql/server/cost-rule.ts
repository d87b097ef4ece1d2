import type {
  FieldNode,
  GraphQLField,
  GraphQLNamedType,
  GraphQLSchema,
  SelectionNode,
  SelectionSetNode,
  ValidationContext,
  ValidationRule,
} from 'graphql';
import { getDirectiveValues, getNamedType, GraphQLError, isObjectType, Kind } from 'graphql';
import { PAGE_SIZE_MAX } from '../../kernel/pages.ts';

type Type = GraphQLNamedType | null | undefined;
type Field = GraphQLField<unknown, unknown>;

/**
 * Refuses an operation whose answer could hold more than `costMax` fields, before anything runs: one
 * per selected field, fragments counted where they are spread, the content of a list times the size that
 * `@listSize` gives it: a number, or the argument that says it. An argument given as a variable counts as
 * the largest page, one out of range as the nearest that is in range, since it is refused before a row is
 * read. Linear in the document, so that a fragment that spreads itself out to millions of fields is counted
 * without being unrolled.
 */
export function costRule(costMax: number): ValidationRule {
  return (context) => ({
    OperationDefinition(operation) {
      const root = context.getSchema().getRootType(operation.operation);
      const cost = counter(context)(operation.selectionSet, root);
      if (cost <= costMax) return;
      const message = `This could answer ${cost} fields and ${costMax} are allowed: ask for smaller pages or fewer fields.`;
      context.reportError(new GraphQLError(message));
    },
  });
}

/** What `@listSize` says of a field; null where it says nothing. */
export function listSizeOf(
  schema: GraphQLSchema,
  { astNode }: Pick<Field, 'astNode'>,
): { readonly assumedSize?: number; readonly slicingArgument?: string } | null {
  const directive = schema.getDirective('listSize');
  return (directive && astNode && getDirectiveValues(directive, astNode)) ?? null;
}

function counter(context: ValidationContext) {
  const schema = context.getSchema();
  const fragments = new Map<string, number>();

  const ofSet = (set: SelectionSetNode, type: Type): number =>
    set.selections.reduce((sum, selection) => sum + ofSelection(selection, type), 0);

  const ofSelection = (selection: SelectionNode, type: Type): number => {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return ofFragment(selection.name.value);
    if (selection.kind === Kind.INLINE_FRAGMENT) return ofSet(selection.selectionSet, type);
    const field = isObjectType(type) ? type.getFields()[selection.name.value] : undefined;
    if (!selection.selectionSet) return 1;
    const content = ofSet(selection.selectionSet, field && getNamedType(field.type));
    return 1 + (field ? sizeOf(schema, selection, field) : 1) * content;
  };

  const ofFragment = (name: string): number => {
    const known = fragments.get(name);
    if (known !== undefined) return known;
    // A fragment that spreads itself is refused by a rule of GraphQL's own; here it must only end.
    fragments.set(name, 0);
    const fragment = context.getFragment(name);
    const type = fragment && schema.getType(fragment.typeCondition.name.value);
    const cost = fragment ? ofSet(fragment.selectionSet, type) : 0;
    fragments.set(name, cost);
    return cost;
  };

  return ofSet;
}

function sizeOf(schema: GraphQLSchema, node: FieldNode, field: Field): number {
  const size = listSizeOf(schema, field);
  if (size?.slicingArgument === undefined) return size?.assumedSize ?? 1;
  const { slicingArgument } = size;
  const given = node.arguments?.find(({ name }) => name.value === slicingArgument)?.value;
  if (!given) return defaultOf(field, slicingArgument);
  return given.kind === Kind.INT ? Math.min(Math.max(Number(given.value), 1), PAGE_SIZE_MAX) : PAGE_SIZE_MAX;
}

function defaultOf({ args }: Field, argument: string): number {
  return Number(args.find(({ name }) => name === argument)?.defaultValue ?? PAGE_SIZE_MAX);
}
