"""The main job before one's eyes: a good and a bad rollout of `orders` under load, on the real mesh, counted.

It uses kubectl for everything it does to the cluster, as its spectators would.
"""
