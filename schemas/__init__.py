"""All that crosses a boundary: files a user writes, documents a run emits. No run behaviour."""
