/** Questions to the daemon that wait for their answers. They change nothing, so they are asked again after a break. */
import type { ClientControl, DaemonControl } from '@rookery/protocol/websocket';
import type { BusError } from './errors.ts';

export type Question = Extract<ClientControl, { kind: 'groups' | 'members' }>;
export type Answer = Extract<DaemonControl, { kind: 'groups' | 'members' }>;

interface Waiting {
  readonly question: Question;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: BusError) => void;
}

export class Queries {
  readonly #waiting = new Map<number, Waiting>();
  #id = 1;

  /** `say` sends it if it can be sent now. */
  ask(make: (id: number) => Question, say: (question: Question) => void): Promise<Answer> {
    const question = make(this.#id++);
    return new Promise((resolve, reject) => {
      this.#waiting.set(question.id, { question, resolve, reject });
      say(question);
    });
  }

  /** What a new connection has not been asked. */
  get questions(): Question[] {
    return [...this.#waiting.values()].map(({ question }) => question);
  }

  answer(answer: Answer): void {
    this.#waiting.get(answer.id)?.resolve(answer);
    this.#waiting.delete(answer.id);
  }

  end(error: BusError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
