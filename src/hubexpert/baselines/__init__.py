"""What a mixture has to beat, one file each: no training at all, or others' ways to combine the same experts."""
