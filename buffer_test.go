package guard

import (
	"bytes"
	"testing"
)

// It does not run in parallel: the memory belongs to whoever takes the buffer next.
func TestBufferIsWipedBeforeItIsKept(t *testing.T) {
	b := new(buffer)
	b.Grow(2000)
	if err := b.encode("secret", nil); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "\"secret\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	memory := b.Bytes()[:b.Cap()]
	copy(memory[1000:], "the rest of a longer response")
	b.giveBack()
	if want := make([]byte, len(memory)); !bytes.Equal(memory, want) {
		t.Errorf("got %q in the buffer that is kept, want zeros", bytes.Trim(memory, "\x00"))
	}
}

func TestBufferThatIsLargeIsNotKept(t *testing.T) {
	t.Parallel()
	b := new(buffer)
	b.Grow(maxKeptBuffer + 1)
	b.WriteString("large")
	b.giveBack()
	if b.Len() == 0 {
		t.Error("it was emptied, as one that is kept")
	}
}
