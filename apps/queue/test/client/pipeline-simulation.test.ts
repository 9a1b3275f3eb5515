import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Random } from '@rookery/testkit';
import { expect, test } from 'vitest';
import { type AfterLoss, Pipeline, type PipelineCall } from '../../src/client/pipeline.ts';

// Random calls over a connection that breaks at random moments, at a server that may or may not have carried out what
// it had been sent. ROOKERY_TEST_SEED=n replays one seed, ROOKERY_TEST_SEEDS=n runs so many.

const LIMITS = { waitingCalls: 12, waitingBytes: 400, pipelineCalls: 5, pipelineBytes: 150 };

interface Call extends PipelineCall {
  readonly number: number;
  executed: number;
  outcome: 'answered' | 'lost' | 'timed out' | 'given up' | undefined;
}

class World {
  readonly pipeline = new Pipeline<Call>(LIMITS);
  readonly calls: Call[] = [];
  /** What the server has been sent on this connection, and has not carried out. */
  #inbox: Call[] = [];
  /** Answers on their way to the client. */
  #answers: Call[] = [];
  #connected = true;
  #now = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  step(): void {
    const random = this.#random;
    this.#now += random.below(20);
    const action = random.below(100);
    if (action < 30) this.#add();
    else if (action < 55) this.#send();
    else if (action < 75) this.#execute();
    else if (action < 90) this.#answer();
    else if (action < 93) this.#giveUp();
    else if (action < 96) this.#expire();
    else if (this.#connected) this.#break();
    else this.#connected = true;
    this.#check();
  }

  /** A server that is there and answers. */
  heal(): void {
    this.#connected = true;
    for (let turn = 0; turn < 1000 && this.calls.some(({ outcome }) => outcome === undefined); turn++) {
      this.#send();
      this.#execute();
      this.#answer();
      this.#check();
    }
  }

  #add(): void {
    const random = this.#random;
    const call: Call = {
      number: this.calls.length,
      bytes: 10 + random.below(80),
      afterLoss: (['again', 'unless-sent', 'never'] satisfies AfterLoss[])[random.below(3)]!,
      deadlineAt: random.chance(0.3) ? Number.POSITIVE_INFINITY : this.#now + random.below(400),
      answerMs: 50 + random.below(100),
      state: 'new',
      executed: 0,
      outcome: undefined,
    };
    const { waitingCalls, waitingBytes } = this.pipeline;
    const room = waitingCalls < LIMITS.waitingCalls && waitingBytes + call.bytes <= LIMITS.waitingBytes;
    assert.equal(this.pipeline.add(call), room || waitingCalls === 0);
    if (call.state === 'waiting') this.calls.push(call);
  }

  #send(): void {
    if (!this.#connected) return;
    for (let call = this.pipeline.take(this.#now); call !== undefined; call = this.pipeline.take(this.#now)) {
      assert.equal(call.outcome, undefined);
      const before = this.#inbox.at(-1);
      if (before !== undefined) assert.ok(before.number < call.number);
      this.#inbox.push(call);
    }
  }

  #execute(): void {
    const call = this.#inbox.shift();
    if (call === undefined) return;
    call.executed++;
    this.#answers.push(call);
  }

  #answer(): void {
    const call = this.#answers.shift();
    if (call === undefined) return;
    assert.equal(this.pipeline.oldest, call);
    if (call.state !== 'over') {
      assert.equal(call.outcome, undefined);
      call.outcome = 'answered';
    }
    this.pipeline.answered(this.#now);
  }

  #giveUp(): void {
    const open = this.calls.filter(({ outcome }) => outcome === undefined);
    if (open.length === 0) return;
    const call = open[this.#random.below(open.length)]!;
    const sent = call.state === 'sent';
    assert.equal(this.pipeline.giveUp(call), sent);
    call.outcome = 'given up';
  }

  #expire(): void {
    const due = this.pipeline.due(this.#now);
    const wanted = this.calls.filter((call) => call.outcome === undefined && call.deadlineAt <= this.#now);
    assert.deepEqual(due.map(({ number }) => number).sort(), wanted.map(({ number }) => number).sort());
    for (const call of due) {
      this.pipeline.giveUp(call);
      call.outcome = 'timed out';
    }
    assert.ok(this.pipeline.nextDeadlineAt() > this.#now);
  }

  /** What was sent may have been carried out, as far as the server came; its answers are lost. */
  #break(): void {
    this.#connected = false;
    for (let count = this.#random.below(this.#inbox.length + 1); count > 0; count--) this.#execute();
    this.#inbox = [];
    this.#answers = [];
    for (const call of this.pipeline.lost()) {
      assert.equal(call.outcome, undefined);
      assert.notEqual(call.afterLoss, 'again');
      if (call.afterLoss === 'unless-sent') assert.equal(call.state, 'sent');
      call.state = 'over';
      call.outcome = 'lost';
    }
    assert.equal(this.pipeline.sentCalls, 0);
    assert.equal(this.pipeline.stuckAt, Number.POSITIVE_INFINITY);
  }

  #check(): void {
    const { pipeline } = this;
    let open = 0;
    let waiting = 0;
    let waitingBytes = 0;
    for (const call of this.calls) {
      if (call.outcome === undefined) open++;
      if (call.outcome === undefined && call.state === 'waiting') {
        waiting++;
        waitingBytes += call.bytes;
      }
      assert.ok(call.afterLoss === 'again' || call.executed <= 1);
      assert.ok(call.outcome !== 'answered' || call.executed > 0);
    }
    assert.deepEqual(
      [pipeline.wantedCalls, pipeline.waitingCalls, pipeline.waitingBytes, pipeline.sentCalls],
      [open, waiting, waitingBytes, this.#inbox.length + this.#answers.length],
    );
    assert.ok(pipeline.sentCalls <= LIMITS.pipelineCalls);
    // What was sent waits anew after a loss, above the limit of what may wait.
    assert.ok(waiting <= LIMITS.waitingCalls + LIMITS.pipelineCalls);
  }
}

test('a call is carried out once unless it may be repeated, ends once, and nothing grows without bound', () => {
  const first = Number(process.env.ROOKERY_TEST_SEED ?? 1);
  const seeds =
    process.env.ROOKERY_TEST_SEED === undefined ? Number(process.env.ROOKERY_TEST_SEEDS ?? 100) : 1;
  let repeated = 0;
  let lost = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const world = new World(new Random(seed));
    try {
      for (let step = 0; step < 300; step++) world.step();
      world.heal();
      expect(world.calls.filter(({ outcome }) => outcome === undefined)).toEqual([]);
      repeated += world.calls.filter(({ executed }) => executed > 1).length;
      lost += world.calls.filter(({ outcome }) => outcome === 'lost').length;
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  // Else the seeds would not try what they are for.
  expect(repeated).toBeGreaterThan(0);
  expect(lost).toBeGreaterThan(0);
});

test('calls that are given up while no server is there leave nothing behind', async () => {
  const pipeline = new Pipeline<PipelineCall>(LIMITS);
  const calls: WeakRef<PipelineCall>[] = [];
  for (let number = 0; number < 10_000; number++) {
    const call: PipelineCall = { bytes: 10, afterLoss: 'again', deadlineAt: 0, answerMs: 0, state: 'new' };
    assert.ok(pipeline.add(call));
    pipeline.giveUp(call);
    calls.push(new WeakRef(call));
  }
  // A reference is strong until the turn in which it was made is over.
  await new Promise((resolve) => setImmediate(resolve));
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  expect(pipeline.waitingBytes).toBe(0);
  expect(calls.filter((call) => call.deref() !== undefined).length).toBeLessThan(100);
});
