"""The main job from order file to reissued card, shown on embedded defaults."""
