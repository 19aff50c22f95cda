"""The mixture: read experts, put them side by side in one wide LoRA, gate them token by token, save and load."""
