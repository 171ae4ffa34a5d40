package main

import (
	"context"
	"hash/fnv"
	"iter"
	"math/rand/v2"
	"strings"
	"time"
)

// completer is the model behind POST /ai/complete: put a client of a real one here.
//
// Complete yields the text piece by piece. It stops when ctx ends or the loop over it does, and yields an error at most
// once, as the last thing. It is safe for concurrent use.
type completer interface {
	Complete(ctx context.Context, prompt string) iter.Seq2[string, error]
}

// localCompleter stands in for a model: it makes text of the same words for the same prompt, and understands nothing.
type localCompleter struct {
	pause time.Duration // before each word
}

const completionWords = 40

var vocabulary = strings.Fields(`a the every one project team review plan week reader question answer small careful open
	shared early quiet useful plain begins with ends in needs keeps asks for shows names before after between while and or
	then milestone budget draft risk decision note owner schedule`)

func (l localCompleter) Complete(ctx context.Context, prompt string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(prompt))
		words := rand.New(rand.NewPCG(h.Sum64(), 0)) // the same for each run: it is no secret
		for i := range completionWords {
			select {
			case <-ctx.Done():
				yield("", ctx.Err())
				return
			case <-time.After(l.pause):
			}
			if !yield(word(words, i), nil) {
				return
			}
		}
	}
}

// word returns the ith word, with what stands before and after it in a sentence of eight.
func word(words *rand.Rand, i int) string {
	const sentence = 8
	w := vocabulary[words.IntN(len(vocabulary))]
	if i%sentence == 0 {
		w = strings.ToUpper(w[:1]) + w[1:]
	}
	if i%sentence == sentence-1 {
		w += "."
	}
	if i > 0 {
		w = " " + w
	}
	return w
}
