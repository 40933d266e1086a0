/**
 * The store of the state: one value, one way to change it.
 *
 * Lives here: dispatch and subscription. Does not live here: what an action means
 * (state/reducer.js) and how the state is drawn (views/).
 */

/**
 * Create a store.
 * @template State
 * @param {(state: State, action: {type: string}) => State} reduce a pure function
 * @param {State} initial
 */
export function createStore(reduce, initial) {
  let state = initial;
  const listeners = new Set();
  return {
    /** Return the current state. */
    get state() {
      return state;
    },
    /** Apply an action and call the listeners if the state changed. */
    dispatch(action) {
      const next = reduce(state, action);
      if (next === state) return;
      const previous = state;
      state = next;
      for (const listener of listeners) listener(state, previous);
    },
    /** Call a listener after each change; return the function that unsubscribes it. */
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
