package guard

import (
	"bytes"
	"testing"
)

func TestBufferIsWipedBeforeItIsKept(t *testing.T) {
	t.Parallel()
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
	b.wipe()
	if want := make([]byte, len(memory)); !bytes.Equal(memory, want) {
		t.Errorf("got %q in the buffer that is kept, want zeros", bytes.Trim(memory, "\x00"))
	}
	if b.Len() != 0 || b.Cap() != len(memory) {
		t.Errorf("got %d bytes in room for %d, want none in the same room", b.Len(), b.Cap())
	}
}

func TestBufferThatIsLargeIsNotKept(t *testing.T) {
	t.Parallel()
	b := new(buffer)
	b.Grow(maxKeptBuffer + 1)
	b.WriteString("large")
	b.wipe()
	if b.Cap() != 0 {
		t.Errorf("got room for %d bytes, want it left to the garbage collector", b.Cap())
	}
}
