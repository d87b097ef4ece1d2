// ESLint reads the SDL alone: oxlint does the code in a fraction of the time, but knows no GraphQL.
import graphql from '@graphql-eslint/eslint-plugin';

export default [
  {
    files: ['schema.graphql'],
    plugins: { '@graphql-eslint': graphql },
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig: { schema: './schema.graphql' } },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      '@graphql-eslint/description-style': ['error', { style: 'block' }],
      '@graphql-eslint/require-description': [
        'error',
        {
          types: true,
          rootField: true,
          DirectiveDefinition: true,
          EnumValueDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
        },
      ],
      '@graphql-eslint/input-name': [
        'error',
        { checkInputType: true, checkQueries: false, caseSensitiveInputType: false },
      ],
      '@graphql-eslint/no-scalar-result-type-on-mutation': 'error',
      '@graphql-eslint/require-deprecation-date': 'error',
      '@graphql-eslint/require-deprecation-reason': 'error',
      // An id is asked for where there is one: payloads, errors and page infos have none.
      '@graphql-eslint/strict-id-in-types': 'off',
      // A job's state and the event that tells it have the same word on purpose.
      '@graphql-eslint/unique-enum-value-names': 'off',
    },
  },
];
