"""Card management (卡管): who owns which card, in what state, and why."""
