import type {
  GraphQLField,
  GraphQLNamedType,
  GraphQLResolveInfo,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import {
  getDirectiveValues,
  getNamedType,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  isInterfaceType,
  isObjectType,
  Kind,
} from 'graphql';
import type { Permission } from '../../domains/tenancy/index.ts';
import { permissionOf } from './permission-of.ts';

type Type = GraphQLNamedType | null | undefined;
type Operation = Pick<GraphQLResolveInfo, 'schema' | 'operation' | 'fragments' | 'variableValues'>;

/**
 * Every permission that the fields of an operation name, at whatever depth; what `@skip` and `@include`
 * leave out needs none. Each fragment is walked once, so that the work is linear in the document.
 */
export function neededPermissions(operation: Operation): ReadonlySet<Permission> {
  const { schema, fragments } = operation;
  const needed = new Set<Permission>();
  const walked = new Set<string>();

  const walk = ({ selections }: SelectionSetNode, type: Type): void => {
    for (const selection of selections) {
      if (!isLeftOut(selection, operation)) visit(selection, type);
    }
  };
  const visit = (selection: SelectionNode, type: Type): void => {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return visitFragment(selection.name.value);
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      const condition = selection.typeCondition?.name.value;
      return walk(selection.selectionSet, condition === undefined ? type : schema.getType(condition));
    }
    const field = fieldOf(type, selection.name.value);
    const permission = field && permissionOf(schema, field);
    if (permission) needed.add(permission);
    if (selection.selectionSet) walk(selection.selectionSet, field && getNamedType(field.type));
  };
  const visitFragment = (name: string): void => {
    const fragment = fragments[name];
    if (!fragment || walked.has(name)) return;
    walked.add(name);
    walk(fragment.selectionSet, schema.getType(fragment.typeCondition.name.value));
  };

  walk(operation.operation.selectionSet, schema.getRootType(operation.operation.operation));
  return needed;
}

function fieldOf(type: Type, name: string): GraphQLField<unknown, unknown> | undefined {
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
}

function isLeftOut(selection: SelectionNode, { variableValues }: Operation): boolean {
  const skip = getDirectiveValues(GraphQLSkipDirective, selection, variableValues);
  const include = getDirectiveValues(GraphQLIncludeDirective, selection, variableValues);
  return skip?.['if'] === true || include?.['if'] === false;
}
