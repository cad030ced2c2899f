import { LIMITS } from './limits.ts';

/**
 * Conditions on the labels of a node, such as `os == linux && room != "3b"`.
 *
 *     or    = and { "||" and }
 *     and   = not { "&&" not }
 *     not   = "!" not | "(" or ")" | test
 *     test  = name | name ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) value | name "in" "(" value { "," value } ")"
 *
 * A name alone asks whether the label is there. Values are words or stand in quotes. `<` and its like compare numbers.
 * What is not there equals nothing: `room != "3b"` holds for a node without a room.
 */
export type LabelExpression =
  | { readonly kind: 'or' | 'and'; readonly parts: readonly LabelExpression[] }
  | { readonly kind: 'not'; readonly part: LabelExpression }
  | { readonly kind: 'has'; readonly name: string }
  | { readonly kind: 'compare'; readonly name: string; readonly operator: Operator; readonly value: string }
  | { readonly kind: 'in'; readonly name: string; readonly values: readonly string[] };

type Operator = '==' | '!=' | '<' | '<=' | '>' | '>=';

/** What is wrong with an expression, and where: characters from 0. */
export interface ExpressionError {
  readonly message: string;
  readonly at: number;
}

/** @returns a label's value, or undefined for one that is not there */
export type Labels = (name: string) => string | undefined;

export function parseLabelExpression(text: string): LabelExpression | ExpressionError {
  try {
    return new Parser(tokensOf(text)).all();
  } catch (error) {
    if (error instanceof Problem) return { message: `${error.message} at character ${error.at + 1} of "${text}"`, at: error.at };
    throw error;
  }
}

export function isExpressionError(result: LabelExpression | ExpressionError): result is ExpressionError {
  return 'at' in result;
}

export function holds(expression: LabelExpression, labels: Labels): boolean {
  switch (expression.kind) {
    case 'or':
      return expression.parts.some((part) => holds(part, labels));
    case 'and':
      return expression.parts.every((part) => holds(part, labels));
    case 'not':
      return !holds(expression.part, labels);
    case 'has':
      return labels(expression.name) !== undefined;
    case 'in': {
      const value = labels(expression.name);
      return value !== undefined && expression.values.includes(value);
    }
    case 'compare':
      return compare(labels(expression.name), expression.operator, expression.value);
  }
}

/** @returns the parts that fail, as text: of conditions joined with `&&` only those that are to blame */
export function failingParts(expression: LabelExpression, labels: Labels): string[] {
  if (holds(expression, labels)) return [];
  if (expression.kind === 'and') return expression.parts.flatMap((part) => failingParts(part, labels));
  return [expressionText(expression)];
}

/** @returns the expression as text that parses to the same */
export function expressionText(expression: LabelExpression): string {
  switch (expression.kind) {
    case 'or':
    case 'and':
      return expression.parts.map(inParentheses).join(expression.kind === 'or' ? ' || ' : ' && ');
    case 'not':
      return `!${inParentheses(expression.part)}`;
    case 'has':
      return expression.name;
    case 'in':
      return `${expression.name} in (${expression.values.map(valueText).join(', ')})`;
    case 'compare':
      return `${expression.name} ${expression.operator} ${valueText(expression.value)}`;
  }
}

function inParentheses(expression: LabelExpression): string {
  const text = expressionText(expression);
  return expression.kind === 'or' || expression.kind === 'and' ? `(${text})` : text;
}

function valueText(value: string): string {
  if (WORD_ONLY.test(value)) return value;
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

function compare(found: string | undefined, operator: Operator, value: string): boolean {
  if (operator === '==') return found === value;
  if (operator === '!=') return found !== value;
  const left = found === undefined || found.trim() === '' ? Number.NaN : Number(found);
  const right = Number(value);
  if (operator === '<') return left < right;
  if (operator === '<=') return left <= right;
  return operator === '>' ? left > right : left >= right;
}

interface Token {
  readonly kind: 'word' | 'quoted' | 'sign' | 'end';
  readonly text: string;
  readonly at: number;
}

class Problem extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const WORD = /[A-Za-z0-9_.][A-Za-z0-9_.:/+-]*/y;
const WORD_ONLY = /^[A-Za-z0-9_.][A-Za-z0-9_.:/+-]*$/;
const SIGN = /&&|\|\||==|!=|<=|>=|[!()<>,]/y;
const QUOTED = /"([^"]*)"|'([^']*)'/y;

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at++;
    if (at >= text.length) break;
    const quoted = match(QUOTED);
    const found = quoted ?? match(SIGN) ?? match(WORD);
    if (found === null) throw new Problem(`${JSON.stringify(text[at])} is not expected`, at);
    const kind = quoted !== null ? 'quoted' : WORD_ONLY.test(found[0]) ? 'word' : 'sign';
    tokens.push({ kind, text: quoted === null ? found[0] : (quoted[1] ?? quoted[2] ?? ''), at });
    at += found[0].length;
  }
  tokens.push({ kind: 'end', text: 'the end', at: text.length });
  return tokens;
}

const OPERATORS: readonly string[] = ['==', '!=', '<', '<=', '>', '>='] satisfies Operator[];

class Parser {
  private readonly tokens: readonly Token[];
  private next = 0;
  private depth = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  all(): LabelExpression {
    const expression = this.or();
    if (this.here.kind !== 'end') throw this.unexpected('&&, || or the end');
    return expression;
  }

  private or(): LabelExpression {
    return this.joined('or', '||', () => this.joined('and', '&&', () => this.not()));
  }

  private joined(kind: 'or' | 'and', sign: string, part: () => LabelExpression): LabelExpression {
    const first = part();
    if (!this.isSign(sign)) return first;
    const parts = [first];
    while (this.take(sign)) parts.push(part());
    return { kind, parts };
  }

  private not(): LabelExpression {
    if (++this.depth > LIMITS.expressionDepth)
      throw new Problem(`more than ${LIMITS.expressionDepth} conditions inside each other`, this.here.at);
    try {
      if (this.take('!')) return { kind: 'not', part: this.not() };
      if (!this.take('(')) return this.test();
      const inner = this.or();
      this.must(')');
      return inner;
    } finally {
      this.depth--;
    }
  }

  private test(): LabelExpression {
    if (!this.isWord()) throw this.unexpected('the name of a label');
    const name = this.advance().text;
    if (this.isWord() && this.here.text === 'in') {
      this.advance();
      this.must('(');
      const values = [this.value()];
      while (this.take(',')) values.push(this.value());
      this.must(')');
      return { kind: 'in', name, values };
    }
    if (!OPERATORS.some((operator) => this.isSign(operator))) return { kind: 'has', name };
    const sign = this.advance();
    const value = this.value();
    const operator = sign.text as Operator;
    if (operator !== '==' && operator !== '!=' && !Number.isFinite(Number(value || 'x')))
      throw new Problem(`"${value}" is not a number, which ${operator} needs`, this.before.at);
    return { kind: 'compare', name, operator, value };
  }

  private value(): string {
    if (this.here.kind !== 'word' && this.here.kind !== 'quoted') throw this.unexpected('a value');
    return this.advance().text;
  }

  private get here(): Token {
    return this.tokens[this.next] as Token;
  }

  private get before(): Token {
    return this.tokens[this.next - 1] as Token;
  }

  private advance(): Token {
    const token = this.here;
    this.next++;
    return token;
  }

  private isWord(): boolean {
    return this.here.kind === 'word';
  }

  private isSign(sign: string): boolean {
    return this.here.kind === 'sign' && this.here.text === sign;
  }

  private take(sign: string): boolean {
    if (!this.isSign(sign)) return false;
    this.next++;
    return true;
  }

  private must(sign: string): void {
    if (!this.take(sign)) throw this.unexpected(`"${sign}"`);
  }

  private unexpected(expected: string): Problem {
    const { kind, text, at } = this.here;
    return new Problem(`expected ${expected}, found ${kind === 'end' ? 'the end' : `"${text}"`}`, at);
  }
}
