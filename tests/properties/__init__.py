"""Properties that must always hold, tried with random commands, lost frames, cut connections and races."""
