"""The torture of the whole controller: the real process, its devices simulated on PTYs, judged from outside."""
