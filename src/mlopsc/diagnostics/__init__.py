"""What is wrong, as data: findings at spec paths, and how they are shown to people and tools."""
